/** A file that a setting names. */
export interface NamedFile {
  readonly path: string;
  /** The setting's name for messages. */
  readonly setting: string;
}
