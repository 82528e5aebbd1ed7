#!/usr/bin/env node
// Starts the binary of the package for this machine, which npm has installed beside this one.
"use strict";
const { spawn } = require("node:child_process");

const own = `crosstail-${process.platform}-${process.arch}`;
let binary;
try {
  binary = require.resolve(`${own}/bin/crosstail`);
} catch {
  console.error(`crosstail: there is no package ${own}, or it was left out (npm install --omit=optional)`);
  process.exit(1);
}
// The program takes the place of this one, where Node can do that (22.15 and later): then it can be suspended, too.
if (process.execve) process.execve(binary, [binary, ...process.argv.slice(2)], process.env);
const child = spawn(binary, process.argv.slice(2), { stdio: "inherit" });
// Keys reach both; only the program decides what they end. What is sent to this process alone is passed on.
for (const signal of ["SIGINT", "SIGTSTP"]) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`crosstail: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
