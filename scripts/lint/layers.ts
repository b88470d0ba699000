/**
 * Keeps floors and rooms apart: who may import whom, and who may touch a runtime; and refuses
 * circular imports.
 *
 * ```
 * cli → service → core → wire        service → host, wireguard        library → core, wire
 * ```
 *
 * A floor is a layer, a room is a folder of it. A room imports its floor's shared rooms and the
 * folders that it lies in, what stands below its floor, and other rooms of its floor where the table
 * says so.
 *
 * @module
 */

/** Which layers a file of a layer may import, besides its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "lib/wire": [],
  "lib/core": ["lib/wire"],
  "lib/library": ["lib/core", "lib/wire"],
  "lib/host": ["lib/core", "lib/wire"],
  "lib/service": ["lib/core", "lib/wire", "lib/host", "lib/wireguard"],
  "lib/wireguard": ["lib/core", "lib/wire", "lib/host"],
  "cli": ["lib/core", "lib/wire", "lib/host", "lib/service", "lib/wireguard"],
};
/** The rooms of a floor that all its other rooms may import. "" is the floor's own folder. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  "lib/wire": ["bytes"],
  "lib/core": ["net"],
  "lib/host": [""],
  "lib/service": ["", "log", "files"],
};
/** What else a room may import of its own floor: rooms without an entry, nothing. */
const ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "lib/wire": {
    "bytes": [],
    "crypto": [],
    "dns": ["crypto"],
    "http": [],
    "lease": [],
    "portmap": [],
    "probe": ["crypto", "wgsig2"],
    "punch": ["wgsig"],
    "shared": ["crypto", "wgsig", "wgsig2"],
    "wireguard": ["wgsig"],
    "wgsig": ["crypto"],
    "wgsig2": ["crypto", "wgsig"],
  },
  "lib/core": {
    "net": [],
    "dns": [],
    "doctor": ["ask", "query"],
    "ask": ["roster/client", "zone"],
    "http": [],
    "import": ["settings", "zone"],
    "lease": [],
    "lease/client": [],
    "lease/server": ["store"],
    "metrics": ["status"],
    "path": ["ask", "punch"],
    "portmap": [],
    "punch": ["registry"],
    "query": ["ask", "path", "roster/client", "settings", "zone/client"],
    "registry": ["relay", "roster/server", "store"],
    "relay": [],
    "roster/client": ["roster", "settings"],
    "roster": ["ask", "settings"],
    "roster/server": ["settings", "store"],
    "serve": ["lease/server", "registry", "relay", "settings", "status"],
    "settings": ["ask", "zone"],
    "shared": ["registry"],
    "store": [],
    "status": ["ask", "path", "settings"],
    "sync": ["ask", "lease", "path", "query", "roster/client", "settings", "status"],
    "systemd": [],
    "zone": [],
    "zone/client": ["dns"],
    "zone/server": ["registry"],
  },
  "lib/host": {
    "": [],
    "bun": ["linux", "node", "resolver"],
    "deno": ["linux", "node", "resolver"],
    "linux": [],
    "node": [],
    "quickjs": ["resolver"],
    "resolver": [],
  },
  "lib/service": {
    "": ["log"],
    "ask": [],
    "doctor": ["ask", "portmap", "status", "sync", "zone/client"],
    "files": [],
    "http": [],
    "lease": [],
    "lease/client": [],
    "lease/server": ["store"],
    "log": [],
    "path": [],
    "portmap": [],
    "punch": ["ask"],
    "query": ["ask", "punch", "zone/client"],
    "roster": ["ask", "status"],
    "serve": [
      "http",
      "lease/server",
      "punch",
      "roster",
      "shared",
      "status",
      "store",
      "systemd",
      "zone/server",
    ],
    "shared": ["lease/server"],
    "status": [],
    "store": [],
    "sync": ["ask", "http", "lease/client", "path", "portmap", "query", "status", "systemd"],
    "systemd": [],
    "zone/client": ["ask"],
    "zone/server": [],
  },
};
/** Pure layers: they may import packages, but nothing that a runtime brings. */
const PURE = ["lib/wire", "lib/core", "lib/library"];
/** Where a runtime may be touched. */
const TOUCHES_RUNTIME = /\/(?:lib\/host|scripts|test)\/|\/cli\/main_\w+\.ts$/;
/** What runs in a browser, whose runtime is another one. */
const RUNS_IN_BROWSER = /\/lib\/service\/http\/page\/\w+\.js$/;
const RUNTIMES = new Set(["Deno", "Bun", "process", "setTimeout", "setInterval", "fetch"]);
const CLOCKS_AND_DICE = new Set(["Date", "performance", "crypto"]);
/** dns-packet needs a Buffer, which the bundle for QuickJS brings. */
const MAY_USE_BUFFER = "/lib/wire/dns/message.ts";

const LAYERS = Object.keys(MAY_IMPORT);

/** A static import or export of another file, of values or types. */
const IMPORT = /^(?:import|export)\b[^;"']*["'](\.{1,2}\/[^"']+)["']/gm;
const IMPORTS = new Map<string, readonly string[]>();

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

/** The room of a file of a layer: the folders between the layer's own and the file. */
export function roomOf(path: string, layer: string): string {
  const rest = inside(path).slice(inside(path).indexOf(`/${layer}/`) + layer.length + 2);
  return rest.split("/").slice(0, -1).join("/");
}

/** Why a room may not import another one of its layer, or undefined if it may. */
function forbiddenRoom(layer: string, from: string, to: string): string | undefined {
  const rooms = ROOMS[layer];
  if (rooms === undefined || from === to) return undefined;
  const known = rooms[from];
  if (known === undefined) return `${layer}/${from} is no room that the table of rooms knows`;
  const isShared = SHARED[layer]?.includes(to) && !SHARED[layer]?.includes(from);
  const isAround = to !== "" && from.startsWith(`${to}/`);
  if (isShared || isAround || known.includes(to)) return undefined;
  return `${layer}/${from} may not import ${layer}/${to}`;
}

/** The files that a file imports, by their paths. */
function importsOf(path: string): readonly string[] {
  let found = IMPORTS.get(path);
  if (found === undefined) {
    let text = "";
    try {
      text = Deno.readTextFileSync(path);
    } catch {
      // What can't be read is said by others.
    }
    found = [...text.matchAll(IMPORT)].map(([, specifier = ""]) =>
      new URL(specifier, `file://${path}`).pathname
    );
    IMPORTS.set(path, found);
  }
  return found;
}

/**
 * The way from a file back to itself that begins with an import.
 *
 * @param to What it imports.
 * @param imports The files that a file imports; read from the disk if left out.
 */
export function circle(
  from: string,
  to: string,
  imports: (path: string) => readonly string[] = importsOf,
): readonly string[] | undefined {
  const seen = new Set<string>();
  const walk = (path: string): readonly string[] | undefined => {
    if (path === from) return [path];
    if (seen.has(path)) return undefined;
    seen.add(path);
    for (const next of imports(path)) {
      const way = walk(next);
      if (way !== undefined) return [path, ...way];
    }
    return undefined;
  };
  return walk(to);
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
  const path = new URL(specifier, `file://${from}`).pathname;
  const to = layerOf(path);
  if (to === layer) return forbiddenRoom(layer, roomOf(from, layer), roomOf(path, layer));
  if (to === undefined || MAY_IMPORT[layer]!.includes(to)) return undefined;
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
          if (layer === undefined || !specifier.startsWith(".")) return;
          const way = circle(path, new URL(specifier, `file://${path}`).pathname);
          if (way === undefined) return;
          const names = way.map((each) => inside(each).slice(1)).join(" → ");
          context.report({ node, message: `circular import: ${names}` });
        };
        return {
          ImportDeclaration(node) {
            // A text is nothing that runs.
            if (!isTextImport(node)) check(node, node.source.value);
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
            if (RUNS_IN_BROWSER.test(inside(path))) return;
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

/** Whether what is imported is taken as text, whatever it is. */
function isTextImport({ attributes }: Deno.lint.ImportDeclaration): boolean {
  return attributes.some(({ value }) => value.value === "text");
}

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
