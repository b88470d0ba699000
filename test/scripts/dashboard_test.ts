/** The dashboard in docs/: what it asks for exists, and Prometheus understands the questions. */

import { assert, assertEquals } from "@std/assert";
import { allMetrics } from "../../lib/core/metrics/metrics.ts";
import { dashboard, metricsIn, questionsOf } from "../support/dashboard.ts";
import { run, testWith, withFolder } from "../support/program.ts";

Deno.test("dashboard: each metric exists, with the labels that are named", async () => {
  const known = new Map(allMetrics().map((metric) => [metric.name, metric]));
  const { panels, ...others } = await dashboard();
  for (const question of questionsOf({ panels, ...others })) {
    const names = metricsIn(question);
    assert(names.length > 0, question);
    for (const name of names) assert(known.has(name), `${name} in ${question}`);
  }
  for (const { title, targets = [] } of panels) {
    for (const { expr, legendFormat } of targets) {
      const labels = metricsIn(expr).flatMap((name) => known.get(name)?.labels ?? []);
      for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        assert(labels.includes(label), `${title}: ${label}`);
      }
      for (const [, list = ""] of expr.matchAll(/ by \(([^)]*)\)/g)) {
        for (const label of list.split(",")) {
          assert(labels.includes(label.trim()), `${title}: ${label}`);
        }
      }
    }
  }
});

Deno.test("dashboard: panels have numbers of their own and don't lie on one another", async () => {
  const { panels } = await dashboard();
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos: { h, w, x, y } } of panels) {
    assert(x + w <= 24, title);
    for (let i = x; i < x + w; i++) {
      for (let j = y; j < y + h; j++) {
        const place = `${i},${j}`;
        assertEquals(taken.get(place), undefined, title);
        taken.set(place, title);
      }
    }
  }
});

testWith(["promtool"], "dashboard: Prometheus understands what it asks", async () => {
  const rules = questionsOf(await dashboard()).map((expr, i) => ({ record: `asked:${i}`, expr }));
  await withFolder(async (folder) => {
    const file = `${folder}/rules.yml`;
    // YAML has JSON in it.
    await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    const { code, out, err } = await run(["promtool", "check", "rules", file]);
    assertEquals(code, 0, out + err);
    assert(out.includes(`${rules.length} rules found`), out);
  });
});
