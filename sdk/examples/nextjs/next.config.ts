import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

// `patchcord` comes from the folder above this example. With the package from npm this file can go.
const root = fileURLToPath(new URL("../..", import.meta.url));

const config: NextConfig = { turbopack: { root }, outputFileTracingRoot: root };

export default config;
