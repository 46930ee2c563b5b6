/** What users write out in full: `Replicated.Service`, `Replicated.define`. */
export { define } from "./Definition.ts"
export { Service } from "./Service.ts"
