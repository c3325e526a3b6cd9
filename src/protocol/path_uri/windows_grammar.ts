/**
 * How Windows path text begins, which decides what it is relative to. Both slashes separate.
 *
 * @see https://learn.microsoft.com/en-us/dotnet/standard/io/file-path-formats
 */

/** What separates the segments of a Windows path. */
export const WINDOWS_SEPARATOR = /[\\/]/;

/** Whether a path starts on a drive, on a server, or in a namespace. */
export function isAbsoluteWindows(path: string): boolean {
  return isOnDrive(path) || isDoubleRooted(path);
}

/** `C:\…` */
export function isOnDrive(path: string): boolean {
  return /^[a-z]:[\\/]/i.test(path);
}

/** `\\server\…` and the namespaces. */
export function isDoubleRooted(path: string): boolean {
  return /^[\\/]{2}/.test(path);
}

/** The device namespace `\\.\…` and the verbatim one `\\?\…`. */
export function isInNamespace(path: string): boolean {
  return /^[\\/]{2}[.?][\\/]/.test(path);
}

/** `\…`: from the root of a drive or share that the text leaves open. */
export function isRootRelative(path: string): boolean {
  return /^[\\/](?![\\/])/.test(path);
}

/** `C:…`: from the current directory of a drive. */
export function isDriveRelative(path: string): boolean {
  return /^[a-z]:(?![\\/])/i.test(path);
}

/** Text as UTF-16LE, unpaired surrogates included. */
export function encodeUtf16(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < text.length; at++) view.setUint16(at * 2, text.charCodeAt(at), true);
  return bytes;
}

/** UTF-16LE as text, unpaired surrogates included; undefined for an odd number of bytes. */
export function decodeUtf16(bytes: Uint8Array): string | undefined {
  if (bytes.length % 2 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 2) {
    text += String.fromCharCode(view.getUint16(at, true));
  }
  return text;
}
