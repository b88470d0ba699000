/**
 * Keeps the layers apart: who may import whom, and who may touch a runtime.
 *
 * ```
 * cli → service → core → wire        service → host, wireguard
 * ```
 *
 * @module
 */

/** Which layers a file of a layer may import, besides its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "lib/wire": [],
  "lib/core": ["lib/wire"],
  "lib/host": ["lib/core", "lib/wire"],
  "lib/service": ["lib/core", "lib/wire", "lib/host", "lib/wireguard"],
  "lib/wireguard": ["lib/core", "lib/wire", "lib/host"],
  "cli": ["lib/core", "lib/wire", "lib/host", "lib/service", "lib/wireguard"],
};
/** Pure layers: they may import packages, but nothing that a runtime brings. */
const PURE = ["lib/wire", "lib/core"];
/** Where a runtime may be touched. */
const TOUCHES_RUNTIME = /\/(?:lib\/host|scripts|test)\/|\/cli\/main_\w+\.ts$/;
const RUNTIMES = new Set(["Deno", "Bun", "process", "setTimeout", "setInterval", "fetch"]);
const CLOCKS_AND_DICE = new Set(["Date", "performance", "crypto"]);
/** dns-packet needs a Buffer, which the bundle for QuickJS brings. */
const MAY_USE_BUFFER = "/lib/wire/dns/message.ts";

const LAYERS = Object.keys(MAY_IMPORT);

/** The folder of the project: what lies above it must not look like a layer. */
const ROOT = new URL("../..", import.meta.url).pathname;

/** A path from the project's folder on, with a slash before it. */
function inside(path: string): string {
  return path.startsWith(ROOT) ? path.slice(ROOT.length - 1) : path;
}

/** The layer of a file, by its path. */
export function layerOf(path: string): string | undefined {
  return LAYERS.find((layer) => inside(path).includes(`/${layer}/`));
}

/** Why `from` may not import `specifier`, or undefined if it may. */
export function forbidden(from: string, specifier: string): string | undefined {
  const layer = layerOf(from);
  if (layer === undefined) return undefined;
  if (/^(?:node|bun|ext):/.test(specifier)) {
    const allowed = TOUCHES_RUNTIME.test(inside(from)) ||
      (specifier === "node:buffer" && from.endsWith(MAY_USE_BUFFER));
    return allowed ? undefined : `only lib/host may import ${specifier}`;
  }
  if (!specifier.startsWith(".")) return undefined;
  const to = layerOf(new URL(specifier, `file://${from}`).pathname);
  if (to === undefined || to === layer || MAY_IMPORT[layer]!.includes(to)) return undefined;
  return `${layer} may not import ${to}`;
}

const plugin: Deno.lint.Plugin = {
  name: "wgsig",
  rules: {
    "layers": {
      create(context) {
        const path = context.filename.replaceAll("\\", "/");
        const layer = layerOf(path);
        const check = (node: Deno.lint.Node, specifier: string) => {
          const why = forbidden(path, specifier);
          if (why !== undefined) context.report({ node, message: why });
        };
        return {
          ImportDeclaration(node) {
            check(node, node.source.value);
          },
          ExportNamedDeclaration(node) {
            if (node.source !== null) check(node, node.source.value);
          },
          ExportAllDeclaration(node) {
            check(node, node.source.value);
          },
          ImportExpression(node) {
            if (node.source.type === "Literal") check(node, String(node.source.value));
          },
          Identifier(node) {
            if (layer === undefined || TOUCHES_RUNTIME.test(inside(path))) return;
            const pure = PURE.includes(layer);
            const banned = RUNTIMES.has(node.name) || (pure && CLOCKS_AND_DICE.has(node.name));
            if (!banned || isName(node)) return;
            context.report({ node, message: `${layer} may not use ${node.name}: it is a host's` });
          },
        };
      },
    },
  },
};

/** Whether an identifier is only a property's name, as in `host.timer` or `{ process: 1 }`. */
function isName(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  switch (parent.type) {
    case "MemberExpression":
      return parent.property === node && !parent.computed && !isGlobal(parent.object);
    case "Property":
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return parent.key === node && !parent.computed;
    default:
      return false;
  }
}

function isGlobal(node: Deno.lint.Node): boolean {
  return node.type === "Identifier" && node.name === "globalThis";
}

export default plugin;
