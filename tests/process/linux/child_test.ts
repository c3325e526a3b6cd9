import { startLinuxChild } from "../../../src/process/linux/start.ts";
import { libc } from "../../../src/os/process_libc.ts";
import { childBehaviour } from "../child_behaviour.ts";

// Opened before the first test, which would be taken to leak it.
libc();

childBehaviour("linux", (command, observer) => {
  try {
    return Promise.resolve(startLinuxChild(command, observer));
  } catch (error) {
    return Promise.reject(error);
  }
});
