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
  /** By metric: what comes before its samples, and each of those by what it is of. */
  readonly #metrics = new Map<string, { readonly head: string; samples: Map<string, string> }>();

  /**
   * Adds a sample. Of two with the same labels, such as those of a server that is named twice, the first
   * holds: a collector refuses the other one.
   *
   * @param values Of its labels, in their order. One that is empty is as if there were none.
   * @param value Not known where it is null: there is no sample then.
   */
  add(name: string, metric: Metric, values: readonly string[], value: number | null): void {
    if (value === null) return;
    let present = this.#metrics.get(name);
    if (present === undefined) {
      const head = `# HELP ${name} ${escaped(metric.help)}\n# TYPE ${name} ${metric.type}\n`;
      this.#metrics.set(name, present = { head, samples: new Map() });
    }
    const labels = metric.labels.flatMap((label, i) => {
      const text = values[i] ?? "";
      return text === "" ? [] : [`${label}="${escaped(text).replaceAll('"', '\\"')}"`];
    });
    const series = `${name}${labels.length > 0 ? `{${labels.join(",")}}` : ""}`;
    if (!present.samples.has(series)) present.samples.set(series, formatted(value));
  }

  /** The text. */
  get text(): string {
    let text = "";
    for (const { head, samples } of this.#metrics.values()) {
      text += head;
      for (const [series, value] of samples) text += `${series} ${value}\n`;
    }
    return text;
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function formatted(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
