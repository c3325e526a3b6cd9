/** Under a filter of its own that hands over nothing: prints whether the kernel took the setting. */
import { shareProcessor } from "../../src/os/notifications.ts";
import { enforceFilterWithListener, setNoNewPrivileges } from "../../src/os/thread_restrictions.ts";
import { handoverFilter } from "../../src/sandbox/seccomp/filter.ts";

const groups = { names: false, metadata: false, reads: false, connections: false, signals: false };
setNoNewPrivileges();
const listener = enforceFilterWithListener(handoverFilter(groups, Deno.build.arch));
console.log(shareProcessor(listener));
