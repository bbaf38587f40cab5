import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, Output, RetryError, StreamProviderError, embedMany, generateText, jsonSchema, streamText, tool } from 'ai';

// The SDK warns on stderr by default; what matters is in the outcome.
globalThis.AI_SDK_LOG_WARNINGS = false;

function settings({ max_retries = 0, timeout }) {
  return { maxRetries: max_retries, ...(timeout ? { timeout: timeout * 1000 } : {}) };
}

const simple = (calls) => calls.map((call) => ({ id: call.toolCallId, name: call.toolName, arguments: JSON.stringify(call.input) }));

function offer(tools) {
  return Object.fromEntries(
    tools.map(({ function: { name, description, parameters } }) => [name, tool({ description, inputSchema: jsonSchema(parameters) })]),
  );
}

function client(connect) {
  return {
    async chat({ model, messages, ...options }) {
      const answer = await generateText({ model: connect(options).chatModel(model), messages, ...settings(options) });
      return { text: answer.text, finish: answer.finishReason, tokens: answer.usage.totalTokens };
    },
    async stream({ model, messages, stop_after, ...options }) {
      const pieces = [];
      let finish = null;
      let items = 0;
      const abort = new AbortController();
      const { stream } = streamText({
        model: connect(options).chatModel(model),
        messages,
        abortSignal: abort.signal,
        onError() {}, // by default it prints; the error comes as a part of the stream as well
        ...settings(options),
      });
      for await (const part of stream) {
        items += 1;
        if (part.type === 'error') throw part.error;
        if (part.type === 'abort' && !stop_after) throw new DOMException(part.reason ?? 'aborted', 'TimeoutError');
        if (part.type === 'text-delta') pieces.push(part.text);
        if (part.type === 'finish') finish = part.finishReason;
        if (stop_after && pieces.length >= stop_after) abort.abort();
      }
      return { pieces, text: pieces.join(''), finish, items };
    },
    async tools({ model, messages, tools, stream, ...options }) {
      const call = { model: connect(options).chatModel(model), messages, tools: offer(tools), ...settings(options) };
      const answer = stream ? streamText(call) : await generateText(call);
      return { calls: simple(await answer.toolCalls), finish: await answer.finishReason };
    },
    async structured({ model, messages, schema, ...options }) {
      const answer = await generateText({
        model: connect(options).chatModel(model),
        messages,
        output: Output.object({ schema: jsonSchema(schema), name: 'answer' }),
        ...settings(options),
      });
      return { value: answer.output };
    },
    async vision({ model, question, image, ...options }) {
      const data = image.startsWith('data:') ? image.slice(image.indexOf(',') + 1) : new URL(image);
      const content = [{ type: 'text', text: question }, { type: 'file', mediaType: 'image/png', data }];
      const answer = await generateText({ model: connect(options).chatModel(model), messages: [{ role: 'user', content }], ...settings(options) });
      return { text: answer.text };
    },
    async embeddings({ model, input, ...options }) {
      const answer = await embedMany({ model: connect(options).embeddingModel(model), values: input, ...settings(options) });
      return { vectors: answer.embeddings };
    },
    describe(error) {
      const cause = RetryError.isInstance(error) ? error.lastError : error;
      const described = { type: cause?.name ?? null, message: cause?.message };
      if (APICallError.isInstance(cause)) {
        const kind = cause.statusCode ? 'api' : 'connection';
        return { ...described, kind, status: cause.statusCode ?? null, code: cause.data?.error?.code ?? null };
      }
      if (StreamProviderError.isInstance(cause)) {
        return { ...described, kind: 'api', status: cause.statusCode ?? null, code: cause.code ?? null };
      }
      if (cause?.name === 'TimeoutError' || cause?.name === 'AbortError') return { ...described, kind: 'timeout', status: null, code: null };
      if (cause instanceof Error) return { ...described, kind: 'other', status: null, code: null };
      return undefined;
    },
  };
}

export const aiOpenai = client(({ base_url }) => {
  const provider = createOpenAI({ baseURL: base_url, apiKey: 'sk-any' });
  return { chatModel: (model) => provider.chat(model), embeddingModel: (model) => provider.embedding(model) };
});

export const aiCompatible = client(({ base_url }) =>
  createOpenAICompatible({ name: 'weir', baseURL: base_url, apiKey: 'sk-any', supportsStructuredOutputs: true }),
);
