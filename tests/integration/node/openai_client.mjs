import OpenAI from 'openai';

function connect({ base_url, max_retries = 0, timeout }) {
  return new OpenAI({
    baseURL: base_url,
    apiKey: 'sk-any',
    maxRetries: max_retries,
    ...(timeout ? { timeout: timeout * 1000 } : {}),
  });
}

async function read(stream, stop_after) {
  const pieces = [];
  let finish = null;
  let items = 0;
  for await (const chunk of stream) {
    items += 1;
    const choice = chunk.choices[0];
    if (choice?.delta.content) pieces.push(choice.delta.content);
    finish = choice?.finish_reason ?? finish;
    if (stop_after && pieces.length >= stop_after) break; // leaving the loop aborts the request
  }
  return { pieces, text: pieces.join(''), finish, items };
}

const simple = (calls) => calls.map((call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments }));

export const openaiNode = {
  async chat({ model, messages, ...options }) {
    const answer = await connect(options).chat.completions.create({ model, messages });
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, tokens: answer.usage.total_tokens };
  },
  async stream({ model, messages, stop_after, ...options }) {
    return await read(await connect(options).chat.completions.create({ model, messages, stream: true }), stop_after);
  },
  async tools({ model, messages, tools, stream, ...options }) {
    const completions = connect(options).chat.completions;
    const answer = stream
      ? await completions.stream({ model, messages, tools }).finalChatCompletion()
      : await completions.create({ model, messages, tools });
    return { calls: simple(answer.choices[0].message.tool_calls), finish: answer.choices[0].finish_reason };
  },
  async structured({ model, messages, schema, ...options }) {
    const answer = await connect(options).chat.completions.parse({
      model,
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
    });
    return { value: JSON.parse(answer.choices[0].message.content) };
  },
  async vision({ model, question, image, ...options }) {
    const content = [{ type: 'text', text: question }, { type: 'image_url', image_url: { url: image } }];
    const answer = await connect(options).chat.completions.create({ model, messages: [{ role: 'user', content }] });
    return { text: answer.choices[0].message.content };
  },
  async embeddings({ model, input, encoding, ...options }) {
    const answer = await connect(options).embeddings.create({ model, input, ...(encoding ? { encoding_format: encoding } : {}) });
    return { vectors: answer.data.map((entry) => entry.embedding) };
  },
  async models(options) {
    const ids = [];
    for await (const model of connect(options).models.list()) ids.push(model.id);
    return { ids };
  },
  describe(error) {
    if (!(error instanceof OpenAI.OpenAIError)) return undefined;
    let kind = 'api';
    if (error instanceof OpenAI.APIConnectionTimeoutError) kind = 'timeout';
    else if (error instanceof OpenAI.APIConnectionError) kind = 'connection';
    return { kind, type: error.constructor.name, status: error.status ?? null, code: error.code ?? null, message: error.message };
  },
};
