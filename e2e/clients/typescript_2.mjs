// TypeScript SDK 2.x, whose client is a package of its own: it negotiates, and here has to arrive at 2026-07-28.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { run } from './story.mjs';

await run(async (url, token) => {
  const client = new Client({ name: 'interlock-suite', version: '2.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return {
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args) => {
      const result = await client.callTool({ name, arguments: args });
      return { isError: result.isError ?? false, structured: result.structuredContent, text: result.content[0].text };
    },
    close: () => client.close(),
  };
});
