import { decodeOsString, encodeOsString } from "../os/os_string.ts";

/** As much of what was said is part of a message, in characters. */
export const MAX_WORDS = 500;

/**
 * What ssh says of a connection that cannot be shared this once, before it makes one of its own: that others
 * are about to share theirs, or that too many do.
 */
const NOT_SHARED = /^(ControlSocket .* already exists, disabling|mux_client_).*\r?\n/gm;

/** What ssh and the host say on standard error. */
export interface SshWords {
  /** Whether it is shown as it comes, or kept for a message. */
  mode: "show" | "keep";
  /** Settles when nothing more comes. */
  readonly all: Promise<void>;
  /** How ssh ended, with its last words unless they were shown. */
  ending(code: number | undefined): string;
}

/** Reads them from a stream. */
export function sshWords(stream: ReadableStream<Uint8Array>, mode: SshWords["mode"]): SshWords {
  let kept = "";
  const read = async () => {
    // It says little at a time, whole lines or questions.
    for await (const bytes of stream) {
      const text = decodeOsString(bytes).replaceAll(NOT_SHARED, "");
      if (words.mode === "show") Deno.stderr.writeSync(encodeOsString(text));
      else kept = (kept + text).slice(-MAX_WORDS);
    }
  };
  const words: SshWords = {
    mode,
    all: Promise.resolve().then(read),
    ending: (code) => {
      const lines = kept.trim().split(/[\r\n]+/).map((line) => line.replace(/^remex: /, ""));
      const said = lines.filter((line) => line !== "").join("; ");
      if (said !== "") return said;
      return code === undefined ? "nothing was heard of ssh" : `ssh ended with exit code ${code}`;
    },
  };
  words.all.catch(() => {});
  return words;
}
