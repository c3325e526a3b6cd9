import { startPortableChild } from "../../../src/process/portable/child.ts";
import { runToEnd, TERMINAL } from "../../support/recorded_child.ts";
import { childBehaviour } from "../child_behaviour.ts";

// Opens the C library, which the first test to do it would be taken to leak.
await runToEnd(startPortableChild, { argv: ["true"], stdio: TERMINAL });

childBehaviour("portable", startPortableChild);
