// A small test plan for Testground's own SDK, unchanged:
//
//     muster run examples/testground/plan.yaml --set NODE_PATH="$PWD/node_modules"
//
// Every instance meets the others, tells them its number, and leaves what it heard in its outputs.
const { writeFile } = require("node:fs/promises");
const { join } = require("node:path");
const { invokeMap } = require("@testground/sdk");

/** Everybody says hello to everybody. */
async function hello(runenv, client) {
  const all = runenv.testInstanceCount;
  const number = await client.signalAndWait("ready", all);
  const greeting = runenv.testInstanceParams.greeting ?? "hello";
  const message = { number, group: runenv.testGroupId, greeting };
  const { sub } = await client.publishSubscribe("hello", message);
  const heard = [];
  for await (const one of sub.wait) {
    heard.push(one);
    if (heard.length === all) break;
  }
  await runenv.recordMessage(`number ${number} heard ${heard.length}`);
  await writeFile(join(runenv.testOutputsPath, "heard.json"), `${JSON.stringify(heard)}\n`);
  await client.signalAndWait("done", all);
}

/** One of them finds something wrong: the run fails, and says who and what. */
async function quarrel(runenv, client) {
  const number = await client.signalAndWait("ready", runenv.testInstanceCount);
  if (number === 2) throw new Error("number 2 disagrees");
}

invokeMap({ hello, quarrel });
