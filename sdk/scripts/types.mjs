// Makes `src/call-token.ts` from the relay's JSON Schema of the claims.
//
// It knows only what that schema uses, and stops at anything else: a rule that it skipped would be a type that lies.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SCHEMA = new URL("../../schema/call-token.schema.json", import.meta.url);
const RESULT = new URL("../src/call-token.ts", import.meta.url);

// What says something about a value that TypeScript cannot.
const UNTYPED = new Set(["format", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"]);
const KNOWN = new Set([...UNTYPED, "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items", "oneOf", "properties", "required", "type"]);

/** The whole file. */
export function source(schema = JSON.parse(readFileSync(SCHEMA, "utf8"))) {
  const { $schema, $defs, title, ...root } = schema;
  const parts = [
    "// Made of schema/call-token.schema.json by `npm run types`. Change it there, in the relay.",
    declared(title, root),
    ...Object.entries($defs).map(([name, def]) => declared(name, def)),
  ];
  return parts.join("\n\n") + "\n";
}

function declared(name, schema) {
  const isPlainObject = schema.type === "object" && schema.properties;
  const body = isPlainObject ? `interface ${name} ${typed(schema, "")}` : `type ${name} = ${typed(schema, "")};`;
  return `${comment(schema.description, "")}export ${body}`;
}

function typed(schema, indent) {
  if (schema === true || Object.keys(schema).every((key) => key === "description")) return "unknown";
  for (const key of Object.keys(schema)) {
    if (!KNOWN.has(key)) throw new Error(`the schema says \`${key}\`, and this script does not know what that means`);
  }
  if (schema.$ref) return schema.$ref.replace("#/$defs/", "");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((choice) => typed(choice, indent)).join(" | ");
  const types = [schema.type].flat();
  return types.map((type) => ofType(type, schema, indent)).join(" | ");
}

function ofType(type, schema, indent) {
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "number":
    case "integer":
      return "number";
    case "array": {
      const item = typed(schema.items, indent);
      return item.includes(" ") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return object(schema, indent);
    default:
      throw new Error(`the schema has a value of type ${JSON.stringify(type)}, and this script does not know that type`);
  }
}

function object({ properties, required = [], additionalProperties }, indent) {
  if (!properties) {
    const value = additionalProperties === undefined || additionalProperties === true ? "unknown" : typed(additionalProperties, indent);
    return `{ [name: string]: ${value} }`;
  }
  if (additionalProperties !== false) throw new Error("an object of the schema takes other fields: the relay's do not");
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? "" : "?";
    return `${comment(schema.description, inner)}${inner}${name}${optional}: ${typed(schema, inner)};`;
  });
  return `{\n${fields.join("\n")}\n${indent}}`;
}

function comment(text, indent) {
  if (!text) return "";
  const lines = text.split("\n");
  if (lines.length === 1) return `${indent}/** ${text} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(RESULT, source());
