// Drives the official JavaScript clients for the Python tests: one JSON order per line on stdin, one JSON outcome per line on
// stdout, in the order in which they are ready. An order names a client and an operation; every client offers the same operations with the same outcomes (see
// clients.py), so that one test holds for all of them. The clients are used as their manuals say, unchanged.
import readline from 'node:readline';
import { aiCompatible, aiOpenai } from './ai_client.mjs';
import { openaiNode } from './openai_client.mjs';

const clients = { 'openai-node': openaiNode, 'ai-openai': aiOpenai, 'ai-compatible': aiCompatible };

async function carryOut({ number, client, operation, options }) {
  let outcome;
  try {
    outcome = { result: await clients[client][operation](options) };
  } catch (error) {
    const described = clients[client].describe(error);
    outcome = { error: described ?? { kind: 'unexpected', message: String(error?.stack ?? error) } };
  }
  process.stdout.write(JSON.stringify({ number, ...outcome }) + '\n');
}

for await (const line of readline.createInterface({ input: process.stdin })) carryOut(JSON.parse(line));
