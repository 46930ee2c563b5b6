/** The version, which the build puts in place of `BALSA_VERSION`; from sources there is none. */
declare const BALSA_VERSION: string | undefined

export const version: string = typeof BALSA_VERSION === "string" ? BALSA_VERSION : "0.0.0-source"
