// Usage: node check.mjs FILE. Parses the text alone, as a tool does that was only given the document.
// Prints every diagnostic; exit code 1 when the document is refused or has an error.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The packages are installed elsewhere (a folder that git ignores), named by this variable.
const require = createRequire(`${process.env.ASYNCAPI_PACKAGES}/`);
const { Parser } = require("@asyncapi/parser");
const ERROR = 0;

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { severity, path, message } of diagnostics) console.log(severity, path.join("."), message);
if (!document || diagnostics.some(({ severity }) => severity === ERROR)) process.exit(1);
console.log(JSON.stringify({
  version: document.version(),
  channels: document.channels().length,
  operations: document.operations().length,
  messages: document.components().messages().length,
}));
