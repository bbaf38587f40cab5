#include "dialects/openai/operation.hpp"

#include "dialects/openai/embeddings.hpp"

namespace weir::openai {

const Operation chat_completion{.answer = "a chat completion",
                                .read_request = read_chat_request,
                                .inspect_chunk = inspect_chunk,
                                .inspect_reply = inspect_reply};

const Operation text_completion{.answer = "a completion",
                                .read_request = read_completion_request,
                                .inspect_chunk = inspect_completion_chunk,
                                .inspect_reply = inspect_reply};

// Never streamed: its request has no `stream` that weir reads.
const Operation embedding{.answer = "a list of embeddings",
                          .read_request = read_embedding_request,
                          .inspect_chunk = inspect_chunk,
                          .inspect_reply = inspect_embeddings,
                          .must_adapt = has_other_encoding,
                          .adapt = in_asked_encoding,
                          .has_output = false};

}  // namespace weir::openai
