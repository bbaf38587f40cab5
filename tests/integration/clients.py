"""The official clients behind one face: the same operations, the same outcomes, so that one test holds for every client.

Operations take `base_url`, `model` and what they need, and return a dict; what the client raises becomes a ClientError.
`items` counts what a stream's reader gets to see, whether there is content in it or not. run() may be called by many threads.
The JavaScript clients run in one Node process (node/driver.mjs), the Python ones here. All are used as their manuals say.
"""

import itertools
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from weir_server import PATIENCE, ROOT, clean_environment

NODE_SOURCES = Path(__file__).parent / "node"
NODE_FOLDER = ROOT / "build/node"  # its node_modules are installed by ./dev setup test


@dataclass
class ClientError(Exception):
    """What the client raised."""

    kind: str  # api, timeout, connection, other
    type: str  # the name of its class
    status: int | None
    code: str | None
    message: str

    def __str__(self) -> str:
        return f"{self.type} ({self.kind}, status {self.status}, code {self.code}): {self.message}"


def raised_by_openai(error: openai.OpenAIError) -> ClientError:
    kind = "api"
    if isinstance(error, openai.APITimeoutError):
        kind = "timeout"
    elif isinstance(error, openai.APIConnectionError):
        kind = "connection"
    # LangChain raises classes of its own, derived from those of the SDK.
    name = next(base.__name__ for base in type(error).__mro__ if base.__module__.split(".")[0] == "openai")
    return ClientError(kind, name, getattr(error, "status_code", None), getattr(error, "code", None), str(error))


class OpenAiPython:
    name = "openai-python"

    def run(self, operation: str, **options: Any) -> dict[str, Any]:
        try:
            return getattr(self, f"_{operation}")(**options)
        except openai.OpenAIError as error:
            raise raised_by_openai(error) from error

    @staticmethod
    def _client(base_url: str, max_retries: int = 0, timeout: float = PATIENCE) -> openai.OpenAI:
        return openai.OpenAI(base_url=base_url, api_key="sk-any", max_retries=max_retries, timeout=timeout)

    def _chat(self, model: str, messages: list, **options: Any) -> dict[str, Any]:
        answer = self._client(**options).chat.completions.create(model=model, messages=messages)
        choice = answer.choices[0]
        return {"text": choice.message.content, "finish": choice.finish_reason, "tokens": answer.usage.total_tokens}

    def _stream(self, model: str, messages: list, stop_after: int | None = None, **options: Any) -> dict[str, Any]:
        pieces, finish, items = [], None, 0
        with self._client(**options).chat.completions.create(model=model, messages=messages, stream=True) as stream:
            for event in stream:
                items += 1
                for choice in event.choices:
                    if choice.delta.content:
                        pieces.append(choice.delta.content)
                    finish = choice.finish_reason or finish
                if stop_after and len(pieces) >= stop_after:
                    break
        return {"pieces": pieces, "text": "".join(pieces), "finish": finish, "items": items}

    def _tools(self, model: str, messages: list, tools: list, stream: bool, **options: Any) -> dict[str, Any]:
        completions = self._client(**options).chat.completions
        if stream:
            with completions.stream(model=model, messages=messages, tools=tools) as events:
                choice = events.get_final_completion().choices[0]
        else:
            choice = completions.create(model=model, messages=messages, tools=tools).choices[0]
        calls = [{"id": call.id, "name": call.function.name, "arguments": call.function.arguments} for call in choice.message.tool_calls]
        return {"calls": calls, "finish": choice.finish_reason}

    def _structured(self, model: str, messages: list, schema: dict, **options: Any) -> dict[str, Any]:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        answer = self._client(**options).chat.completions.create(model=model, messages=messages, response_format=form)
        return {"value": json.loads(answer.choices[0].message.content)}

    def _vision(self, model: str, question: str, image: str, **options: Any) -> dict[str, Any]:
        content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": image}}]
        answer = self._client(**options).chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
        return {"text": answer.choices[0].message.content}

    def _embeddings(self, model: str, input: list[str], encoding: str | None = None, **options: Any) -> dict[str, Any]:
        answer = self._client(**options).embeddings.create(model=model, input=input, encoding_format=encoding or openai.omit)
        return {"vectors": [entry.embedding for entry in answer.data]}

    def _models(self, **options: Any) -> dict[str, Any]:
        return {"ids": [model.id for model in self._client(**options).models.list()]}


class LangChain:
    name = "langchain"

    def run(self, operation: str, **options: Any) -> dict[str, Any]:
        try:
            return getattr(self, f"_{operation}")(**options)
        except openai.OpenAIError as error:
            raise raised_by_openai(error) from error

    @staticmethod
    def _model(model: str, base_url: str, max_retries: int = 0, timeout: float = PATIENCE, **more: Any) -> ChatOpenAI:
        return ChatOpenAI(model=model, base_url=base_url, api_key="sk-any", max_retries=max_retries, timeout=timeout, **more)

    def _chat(self, messages: list, **options: Any) -> dict[str, Any]:
        answer = self._model(**options).invoke(messages)
        finish = answer.response_metadata["finish_reason"]
        return {"text": answer.content, "finish": finish, "tokens": answer.usage_metadata["total_tokens"]}

    def _stream(self, messages: list, stop_after: int | None = None, **options: Any) -> dict[str, Any]:
        pieces, finish, items = [], None, 0
        stream = self._model(**options).stream(messages)
        try:
            for chunk in stream:
                items += 1
                if chunk.content:
                    pieces.append(chunk.content)
                finish = chunk.response_metadata.get("finish_reason") or finish
                if stop_after and len(pieces) >= stop_after:
                    break
        finally:
            stream.close()
        return {"pieces": pieces, "text": "".join(pieces), "finish": finish, "items": items}

    def _tools(self, messages: list, tools: list, stream: bool, **options: Any) -> dict[str, Any]:
        model = self._model(**options).bind_tools(tools)
        if stream:
            answer = None
            for chunk in model.stream(messages):
                answer = chunk if answer is None else answer + chunk
        else:
            answer = model.invoke(messages)
        assert not answer.invalid_tool_calls, answer.invalid_tool_calls
        calls = [{"id": call["id"], "name": call["name"], "arguments": json.dumps(call["args"])} for call in answer.tool_calls]
        return {"calls": calls, "finish": answer.response_metadata["finish_reason"]}

    def _structured(self, messages: list, schema: dict, **options: Any) -> dict[str, Any]:
        model = self._model(**options).with_structured_output({"title": "answer", **schema}, method="json_schema", strict=True)
        return {"value": model.invoke(messages)}

    def _vision(self, question: str, image: str, **options: Any) -> dict[str, Any]:
        content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": image}}]
        return {"text": self._model(**options).invoke([{"role": "user", "content": content}]).content}

    def _embeddings(self, model: str, base_url: str, input: list[str], encoding: str | None = None, **options: Any) -> dict[str, Any]:
        # Without check_embedding_ctx_length=False it counts tokens first, with tables that it downloads.
        more = {"model_kwargs": {"encoding_format": encoding}} if encoding else {}
        embeddings = OpenAIEmbeddings(
            model=model, base_url=base_url, api_key="sk-any", max_retries=0, check_embedding_ctx_length=False, **more, **options
        )
        return {"vectors": embeddings.embed_documents(input)}


class NodeClient:
    def __init__(self, driver: "NodeDriver", name: str) -> None:
        self.driver, self.name = driver, name

    def run(self, operation: str, **options: Any) -> dict[str, Any]:
        return self.driver.run(self.name, operation, options)


def node_program() -> Path:
    """Node from the pinned PyPI package, beside the interpreter that runs the tests."""
    return Path(sys.executable).parent / "node"


def node_script(name: str, text: str | None = None) -> Path:
    """Puts a script where the JavaScript packages are found from: a module is looked up from the folder of its importer."""
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    target = NODE_FOLDER / name
    if text is None:
        shutil.copyfile(NODE_SOURCES / name, target)
    else:
        target.write_text(text)
    return target


class NodeDriver:
    """One Node process with all JavaScript clients."""

    def __enter__(self) -> "NodeDriver":
        for source in NODE_SOURCES.glob("*.mjs"):
            node_script(source.name)
        self.process = subprocess.Popen(
            [node_program(), NODE_FOLDER / "driver.mjs"],
            env=clean_environment(NODE_FOLDER), cwd=NODE_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._numbers = itertools.count()
        self._outcomes: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _read(self) -> None:
        for line in self.process.stdout:
            outcome = json.loads(line)
            with self._changed:
                self._outcomes[outcome["number"]] = outcome
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def run(self, client: str, operation: str, options: dict[str, Any]) -> dict[str, Any]:
        with self._changed:
            number = next(self._numbers)
            order = {"number": number, "client": client, "operation": operation, "options": options}
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            self._changed.wait_for(lambda: number in self._outcomes or self._ended, PATIENCE)
            assert not self._ended, "the Node process ended; its words are above"
            outcome = self._outcomes.pop(number, None)
        assert outcome, f"{client} {operation}: no outcome after {PATIENCE} s"
        if "error" in outcome:
            error = outcome["error"]
            assert error["kind"] != "unexpected", f"{client} {operation}: {error['message']}"
            raise ClientError(**error)
        return outcome["result"]


CLIENTS = ("openai-python", "langchain", "openai-node", "ai-openai", "ai-compatible")


def client_named(name: str, driver: NodeDriver):
    return {"openai-python": OpenAiPython, "langchain": LangChain}.get(name, lambda: NodeClient(driver, name))()
