"""Sound APIs of other shapes: how IDs, bodies and answers may look elsewhere."""

import itertools
import uuid
from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from jwt_auth_bridge import Principal
from jwt_auth_bridge.fastapi import Bridge


class Address(BaseModel):
    street: str
    kind: Literal["home", "work"] = "home"


class Contact(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=12)]
    age: Annotated[int, Field(ge=0, le=130)]
    email: Annotated[str, Field(pattern=r"^[^@]+@[^@]+$")] = "x@example.com"
    ratio: Annotated[float, Field(gt=0, lt=1)] | None = None
    addresses: list[Address] = []
    labels: dict[str, str] = {}


def make_app(bridge: Bridge, *leaks: str) -> FastAPI:
    """No user in any path; integers, texts of the client's, nested rows, forms, request IDs, streams."""
    has = set(leaks).__contains__
    app = FastAPI()
    user = Depends(bridge.current_user)
    Me = Annotated[Principal, user]
    numbers = itertools.count(1)
    contacts, notes, settings, pins = {}, {}, {}, {}

    def mine(table, me, key):
        if key not in table or (table[key]["owner"] != me.subject and not has("foreign rows readable")):
            raise HTTPException(404, "not found")
        return table[key]

    @app.middleware("http")
    async def request_id(request: Request, call_next):
        response = await call_next(request)
        response.headers["x-request-id"] = str(uuid.uuid4())
        return response

    def owner_of(me):
        return "everybody" if has("one name for everybody") else me.subject

    # The ID comes back as an integer, deep in the answer.
    @app.post("/contacts", status_code=201)
    async def add_contact(contact: Contact, me: Me):
        contact_id = next(numbers)
        contacts[contact_id] = {"owner": me.subject, **contact.model_dump()}
        return {"data": {"contactId": contact_id}, "served": next(numbers)}

    @app.get("/contacts/{contact_id}")
    async def get_contact(contact_id: int, me: Me):
        return {"contact": mine(contacts, me, contact_id), "served": next(numbers)}

    # A row within a row; the answer is empty, and the list has the ID.
    form = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    media = {"application/x-www-form-urlencoded": {"schema": form}}

    @app.post(
        "/contacts/{contact_id}/notes", status_code=204, openapi_extra={"requestBody": {"content": media}}
    )
    async def add_note(contact_id: int, me: Me, request: Request):
        mine(contacts, me, contact_id)
        (text,) = parse_qs((await request.body()).decode())["text"]
        notes[str(uuid.uuid4())] = {"owner": me.subject, "contact": contact_id, "text": text}

    @app.get("/contacts/{contact_id}/notes")
    async def list_notes(contact_id: int, me: Me):
        mine(contacts, me, contact_id)
        return {"items": [{"ref": key, **one} for key, one in notes.items() if one["contact"] == contact_id]}

    @app.get("/contacts/{contact_id}/notes/{ref}")
    async def get_note(contact_id: int, ref: str, me: Me):
        mine(contacts, me, contact_id)
        if has("foreign note under an own contact") and ref in notes:
            return notes[ref]
        note = mine(notes, me, ref)
        if note["contact"] != contact_id:
            raise HTTPException(404, "not found")
        return note

    # The client names the row.
    @app.put("/settings/{key}")
    async def put_setting(key: str, value: Annotated[dict[str, str], ...], me: Me):
        settings[owner_of(me), key] = value
        return value

    @app.get("/settings/{key}")
    async def get_setting(key: str, me: Me):
        if (owner_of(me), key) not in settings:
            raise HTTPException(404)
        return settings[owner_of(me), key]

    # Once for each user; a choice in the path; a header that it needs.
    @app.post("/pin")
    async def add_pin(me: Me, x_device: Annotated[str, Header()]):
        if me.subject in pins:
            raise HTTPException(409, "you have one")
        pins[me.subject] = x_device
        return Response(status_code=204)

    @app.get("/export/{kind}")
    async def export(kind: Literal["csv", "json"], me: Me):
        return JSONResponse([one for one in contacts.values() if one["owner"] == me.subject])

    @app.get("/events")
    async def events(me: Me):
        async def endless():
            while True:
                yield b"data: hello\n\n"

        return StreamingResponse(endless(), media_type="text/event-stream")

    @app.get("/articles")
    async def articles(me: Me):
        return [one["name"] for one in contacts.values()]

    bridge.protect(app)
    return app
