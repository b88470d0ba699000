/**
 * Prometheus' text format, version 0.0.4.
 *
 * @module
 */

/** What such a text is, for HTTP. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A metric: what its name stands for. */
export interface Metric {
  readonly type: "counter" | "gauge";
  /** One line. */
  readonly help: string;
  /** The names of its labels, in order. */
  readonly labels: readonly string[];
}

/** Puts samples together by their metrics, whatever order they come in. */
export class Exposition {
  readonly #lines = new Map<string, string[]>();

  /**
   * Adds a sample.
   *
   * @param values Of its labels, in their order. One that is empty is as if there were none.
   * @param value Not known where it is null: there is no sample then.
   */
  add(name: string, metric: Metric, values: readonly string[], value: number | null): void {
    if (value === null) return;
    let lines = this.#lines.get(name);
    if (lines === undefined) {
      lines = [`# HELP ${name} ${escaped(metric.help)}`, `# TYPE ${name} ${metric.type}`];
      this.#lines.set(name, lines);
    }
    const labels = metric.labels.flatMap((label, i) => {
      const text = values[i] ?? "";
      return text === "" ? [] : [`${label}="${escaped(text).replaceAll('"', '\\"')}"`];
    });
    lines.push(`${name}${labels.length > 0 ? `{${labels.join(",")}}` : ""} ${formatted(value)}`);
  }

  /** The text. */
  get text(): string {
    return [...this.#lines.values()].map((lines) => `${lines.join("\n")}\n`).join("");
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function formatted(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
