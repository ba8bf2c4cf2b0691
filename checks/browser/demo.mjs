// A demo to call: the relay, its page's address and its secret.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export async function demo(binary) {
  const relay = spawn(binary, ["demo", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"], env: { PATH: process.env.PATH } });
  let secret;
  for await (const line of createInterface({ input: relay.stdout })) {
    const address = line.match(/browser: +(http:\S+)/)?.[1];
    secret ??= line.match(/secret.*: (\S+)/)?.[1];
    if (address) {
      relay.stdout.resume();
      return { relay, address, secret };
    }
  }
  throw new Error("the demo names no page");
}
