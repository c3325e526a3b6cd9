import { startLocalProcess } from "../../src/client/local_process.ts";
import { execProcessBehaviour } from "./exec_process_behaviour.ts";

execProcessBehaviour("local process", (test) => () => test(startLocalProcess));
