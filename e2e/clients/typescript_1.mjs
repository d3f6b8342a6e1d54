// TypeScript SDK 1.x: opens with `initialize`, speaks 2025-11-25; checks results against `outputSchema`, errors too.

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { run } from './story.mjs';

await run(async (url, person) => {
  const authProvider = person.provider();
  const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider });
  const client = new Client({ name: 'interlock-suite', version: '1.0.0' });
  const first = transport();
  try {
    await client.connect(first);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await first.finishAuth(person.cameBack().get('code'));
    await client.connect(transport());
  }
  return {
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args) => {
      const result = await client.callTool({ name, arguments: args });
      return { isError: result.isError ?? false, structured: result.structuredContent, text: result.content[0].text };
    },
    close: () => client.close(),
  };
});
