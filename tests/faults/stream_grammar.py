"""What a stream of chat completion chunks may look like, whatever happened behind it. Written from OpenAI's reference, not from weir."""

from typing import Any


def complaints_about(chunks: list[dict[str, Any]], ending: str, failed_behind: bool = False) -> list[str]:
    """`chunks`: the events in order, without [DONE] and error objects. `ending`: what came behind them: done or error.
    `failed_behind`: the provider itself reported an error behind its finish reason."""
    found: list[str] = []
    ids = {chunk.get("id") for chunk in chunks}
    if len(ids) > 1:
        found.append(f"{len(ids)} ids: {sorted(map(str, ids))}")
    finished: set[int] = set()
    roles: dict[int, int] = {}
    usages = 0
    for number, chunk in enumerate(chunks):
        if chunk.get("object") != "chat.completion.chunk":
            found.append(f"event {number} is no chunk: {chunk}")
            continue
        usages += chunk.get("usage") is not None
        for choice in chunk.get("choices", []):
            index, delta = choice["index"], choice.get("delta") or {}
            if delta.get("role") is not None:
                roles[index] = roles.get(index, 0) + 1
                if number > 0 and roles[index] > 1:
                    found.append(f"event {number} gives choice {index} a role again")
            if index in finished and (delta.get("content") or delta.get("tool_calls") or choice.get("finish_reason")):
                found.append(f"event {number} goes on with choice {index}, which has finished")
            if choice.get("finish_reason") is not None:
                finished.add(index)
    if usages > 1:
        found.append(f"usage came {usages} times")
    if chunks and ending == "done" and not finished:
        found.append("it ended as whole without a finish reason")
    if ending == "error" and finished and not failed_behind:
        found.append("it finished and then failed")
    return found


def text_of(chunks: list[dict[str, Any]], field: str = "content") -> str:
    return "".join((choice.get("delta") or {}).get(field) or "" for chunk in chunks for choice in chunk.get("choices", []))
