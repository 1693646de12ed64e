"""A client of the registry's REST API that believes nothing: whatever is answered must be what the
description says."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlencode

import jsonschema

from martlet_registry import ADMIN, MartletRegistry


class RestClient:
    """`called` gathers the operations that were answered with success, over all of its copies."""

    def __init__(self, registry: MartletRegistry, auth=ADMIN, description=None, called=None,
                 validators=None):
        self.registry, self.auth = registry, auth
        self.validators: dict[str, jsonschema.Draft202012Validator] = (
            {} if validators is None else validators)
        if description is None:
            answer = registry.request("GET", "/api/v0/openapi.json")
            assert answer.status == 200, answer
            description = json.loads(answer.body)
        self.description = description
        self.called: set[str] = set() if called is None else called

    def as_(self, auth) -> RestClient:
        """The same client with other credentials; None for nobody."""
        return RestClient(self.registry, auth, self.description, self.called, self.validators)

    @property
    def operations(self) -> set[str]:
        return {operation["operationId"] for methods in self.description["paths"].values()
                for operation in methods.values()}

    def operation(self, method: str, path: str) -> dict:
        found = []
        for template, methods in self.description["paths"].items():
            pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part)
                              for part in re.split(r"(\{\w+\})", template))
            if method.lower() in methods and re.fullmatch(pattern, path):
                found.append((template.count("{"), methods[method.lower()]))
        assert found, f"{method} {path} is not described"
        return min(found, key=lambda pair: pair[0])[1]

    def schema(self, schema: dict) -> dict:
        """A JSON schema that allows nothing it does not name."""
        def strict(node):
            if isinstance(node, list):
                return [strict(item) for item in node]
            if not isinstance(node, dict):
                return node
            copy = {key: strict(value) for key, value in node.items()}
            if "$ref" in copy:
                copy["$ref"] = copy["$ref"].replace("#/components/schemas/", "#/$defs/")
            if "properties" in copy and isinstance(copy.get("type"), str):
                copy["additionalProperties"] = False
            return copy
        return strict(schema) | {"$defs": strict(self.description["components"]["schemas"])}

    def validate(self, document, schema: dict):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(self.schema(schema))
        self.validators[key].validate(document)

    def call(self, method: str, path: str, body=None, status: int | None = None, query=None,
             headers=None):
        """The document of the answer, whose status must be `status`, or that of success; the
        answer itself is in `last`."""
        operation = self.operation(method, path)
        target = quote(path, safe="/:") + ("?" + urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        answer = self.registry.request(method, target, data, sent | (headers or {}), self.auth)
        described = operation["responses"]
        success = next(code for code in described if code.startswith("2"))
        wanted = int(success) if status is None else status
        assert answer.status == wanted, f"{method} {target}: {answer.status} {answer.body[:500]}"
        response = described.get(str(answer.status), described["default"])
        if "$ref" in response:
            response = self.description["components"]["responses"][
                response["$ref"].rpartition("/")[2]]
        self.last = answer
        if "content" not in response:
            assert answer.body == b"", answer.body
            document = None
        else:
            assert answer.headers["Content-Type"] == "application/json"
            document = json.loads(answer.body)
            self.validate(document, response["content"]["application/json"]["schema"])
        if answer.status < 300:
            self.called.add(operation["operationId"])
        return document

    def refused(self, method: str, path: str, status: int, code: str, body=None, query=None):
        """Calls what must be refused with this code."""
        document = self.call(method, path, body, status, query)
        assert [error["code"] for error in document["errors"]] == [code], document

    def get(self, path, query=None, status=None):
        return self.call("GET", path, query=query, status=status)

    def post(self, path, body=None, query=None, status=None):
        return self.call("POST", path, {} if body is None else body, status, query)

    def put(self, path, body, status=None, query=None):
        return self.call("PUT", path, body, status, query)

    def patch(self, path, body, status=None):
        return self.call("PATCH", path, body, status)

    def delete(self, path, body=None, status=None, query=None):
        return self.call("DELETE", path, body, status, query)

    # What most tests need

    def user(self, name: str, password: str = "a long password", **more) -> tuple[str, str]:
        self.post("/enzi/v0/accounts", {"name": name, "password": password, **more})
        return name, password

    def job(self, id: str) -> dict:
        return self.get(f"/api/v0/jobs/{id}")
