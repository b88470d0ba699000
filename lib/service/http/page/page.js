// The page of `sync --status` and `serve --status`.

import { goLive } from "./live.js";
import { serveView } from "./serve_view.js";
import { syncView } from "./sync_view.js";

goLive((kind) => kind === "sync" ? syncView() : kind === "serve" ? serveView() : undefined);
