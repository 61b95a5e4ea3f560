// SPDX-License-Identifier: MIT
// A test plan for the SDK of Testground, as its users write them. Prints what it saw as one line of
// JSON that begins with `RESULT `.
import sdk from "@testground/sdk";

const say = (result) => process.stdout.write(`RESULT ${JSON.stringify(result)}\n`);

/** The next `count` messages of a subscription. */
async function take(subscription, count) {
  const messages = [];
  for await (const message of subscription.wait) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

async function everything(runenv, client) {
  const all = runenv.testInstanceCount;
  const ready = await client.signalAndWait("ready", all);
  const again = await client.signalEntry("again");
  await (await client.barrier("again", all)).wait;
  await (await client.barrier("again", 0)).wait;
  const { seq, sub } = await client.publishSubscribe("peers", { ready, text: '<"ü">' });
  const peers = await take(sub, all);
  sub.cancel();
  // Everybody has read before anybody publishes more.
  await client.signalAndWait("read", all);
  const more = await client.publish("peers", ready);
  await client.signalEntry("published");
  const waited = await client.publishAndWait("waited", [ready], "published", all);
  const late = await take(await client.subscribe("peers"), 2 * all);
  const abandoned = await client.barrier("never", all + 1);
  abandoned.cancel();
  await abandoned.wait;
  await runenv.recordMessage("all is well");
  say({ ready, again, seq, peers, more, waited, late });
}

async function failing(_runenv, client) {
  await client.signalEntry("failing");
  throw new Error("as it was told to");
}

await sdk.invokeMap({ everything, failing });
