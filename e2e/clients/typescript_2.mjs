// TypeScript SDK 2.x, whose client is a package of its own: it negotiates, and here has to arrive at 2026-07-28.

import { Client, UnauthorizedError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { run } from './story.mjs';

await run(async (url, person) => {
  const authProvider = person.provider();
  const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider });
  const client = () => new Client({ name: 'interlock-suite', version: '2.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const first = transport();
  let signedIn = client();
  try {
    await signedIn.connect(first);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await first.finishAuth(person.cameBack());
    signedIn = client();
    await signedIn.connect(transport());
  }
  return {
    tools: async () => (await signedIn.listTools()).tools.map((tool) => tool.name),
    call: async (name, args) => {
      const result = await signedIn.callTool({ name, arguments: args });
      return { isError: result.isError ?? false, structured: result.structuredContent, text: result.content[0].text };
    },
    close: () => signedIn.close(),
  };
});
