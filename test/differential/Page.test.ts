import { expect, test } from "vitest"
import { page } from "./Page.ts"

test("the page tells every difference that the tests know of", () => {
  const { is, shouldBe } = page()
  expect(is, "npm run differential -- --page writes it").toBe(shouldBe)
})
