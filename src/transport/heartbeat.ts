const EMPTY_LINE = new Uint8Array([0x0a]);

/**
 * Says an empty line, which means nothing to whoever reads messages, when nothing else was written
 * for so many milliseconds. Each write must be whole lines.
 *
 * @param output is closed and aborted with the stream that is returned
 */
export function withHeartbeat(
  output: WritableStream<Uint8Array>,
  intervalMs: number,
): WritableStream<Uint8Array> {
  const writer = output.getWriter();
  let timer: number | undefined;
  const beat = () => {
    // Where there is no room, there is something to read.
    if ((writer.desiredSize ?? 0) > 0) writer.write(EMPTY_LINE).catch(() => {});
    wait();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(beat, intervalMs);
    Deno.unrefTimer(timer);
  };
  return new WritableStream({
    start(controller) {
      writer.closed.catch((error) => controller.error(error)).finally(() => clearTimeout(timer));
      wait();
    },
    async write(bytes) {
      await writer.write(bytes);
      wait();
    },
    close() {
      clearTimeout(timer);
      return writer.close();
    },
    abort(reason) {
      clearTimeout(timer);
      return writer.abort(reason);
    },
  });
}

/** The other side was silent for longer than it should be. */
export class SilenceError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "SilenceError";
}

/**
 * What a stream gives, as long as it is not silent for so many milliseconds while somebody waits for
 * it. Then it fails with a {@linkcode SilenceError}.
 *
 * @param silent told of that error, too
 */
export function untilSilent(
  input: ReadableStream<Uint8Array<ArrayBuffer>>,
  silenceMs: number,
  silent: (error: SilenceError) => void = () => {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = input.getReader();
  return new ReadableStream({
    async pull(controller) {
      const silence = Promise.withResolvers<never>();
      const seconds = silenceMs / 1000;
      const timer = setTimeout(() => {
        const error = new SilenceError(`nothing was heard for ${seconds} s`);
        silence.reject(error);
        silent(error);
      }, silenceMs);
      try {
        const { done, value } = await Promise.race([reader.read(), silence.promise]);
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        reader.cancel(error).catch(() => {});
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
