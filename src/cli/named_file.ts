/** A file that a setting names. */
export interface NamedFile {
  readonly path: string;
  /** What messages call the setting. */
  readonly setting: string;
}
