import { startLinuxChild } from "../../../src/process/linux/start.ts";
import { childBehaviour } from "../child_behaviour.ts";

childBehaviour("linux", (command, observer) => {
  try {
    return Promise.resolve(startLinuxChild(command, observer));
  } catch (error) {
    return Promise.reject(error);
  }
});
