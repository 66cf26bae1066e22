"""Mistakes with guards and with the user: who is asked, what is compared, what the caller may write.

Each builds an app and gives: the public list, what is named, and a part of the fix.
"""

from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Request
from mistakes_kit import guarded_router, tasks
from pydantic import BaseModel
from ways import guard

from jwt_auth_bridge import Principal


def a_route_forgotten(app, bridge):
    app.include_router(guarded_router(bridge))
    app.get("/api/tasks")(tasks)
    return (), "GET /api/tasks asks nobody for a token", "Depends(bridge.current_user)"


def a_route_with_the_user_forgotten(app, bridge):
    app.include_router(guarded_router(bridge))
    app.put("/api/{user_id}/tasks")(tasks)
    return (), "PUT /api/{user_id}/tasks asks nobody", "Depends(bridge.path_user)"


def one_method_forgotten(app, bridge):
    app.get("/api/{user_id}", dependencies=guard(bridge, "path_user"))(tasks)
    app.delete("/api/{user_id}")(tasks)
    return (), "DELETE /api/{user_id} asks nobody", "Depends(bridge.path_user)"


def one_method_of_two_listed(app, bridge):
    app.api_route("/ping", methods=["GET", "POST"])(tasks)
    return ["GET /ping"], "POST /ping asks nobody", 'public=["POST /ping"]'


def head_on_its_own(app, bridge):
    app.get("/ping")(tasks)
    app.head("/ping")(tasks)
    return ["GET /ping"], "HEAD /ping asks nobody", 'public=["HEAD /ping"]'


def options_on_its_own(app, bridge):
    app.options("/ping", dependencies=[])(tasks)
    return (), "OPTIONS /ping asks nobody", 'public=["OPTIONS /ping"]'


def the_user_not_compared(app, bridge):
    app.get("/api/{user_id}", dependencies=guard(bridge, "current_user"))(tasks)
    return (
        (),
        "GET /api/{user_id} has {user_id} in its path and current_user does not compare",
        "bridge.path_user",
    )


def the_user_only_optional(app, bridge):
    app.get("/api/{user_id}", dependencies=guard(bridge, "optional_user"))(tasks)
    return (), "has {user_id} in its path and optional_user does not compare it", "bridge.path_user"


def the_user_with_a_convertor_not_compared(app, bridge):
    app.get("/api/{user_id:path}", dependencies=guard(bridge, "current_user"))(tasks)
    return (), "GET /api/{user_id:path} has {user_id} in its path", "bridge.path_user"


def the_user_with_a_convertor_compared(app, bridge):
    app.get("/api/{user_id:path}", dependencies=guard(bridge, "path_user"))(tasks)
    return (), "its path has no plain {user_id}", "without a convertor"


def the_user_under_another_name(app, bridge):
    app.get("/api/{userId}/tasks", dependencies=guard(bridge, "current_user"))(tasks)
    return (), "has {userId} in its path, which reads like {user_id},", "name it {user_id}"


def the_user_renamed_by_an_alias(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(owner: Annotated[str, Path(alias="user_id")]):
        return owner

    return (), "GET /api/{user_id}/tasks has {user_id} in its path", "bridge.path_user"


def the_user_of_another_name_than_the_guards(app, bridge):
    app.get("/api/{owner}/tasks", dependencies=guard(bridge, "path_user"))(tasks)
    return (
        (),
        "GET /api/{owner}/tasks is guarded by path_user, but its path has no plain {user_id}",
        "name the",
    )


def the_user_became_a_query_parameter(app, bridge):
    @app.get("/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(user_id: str): ...

    return (), "GET /tasks is guarded by path_user, but its path has no plain {user_id}", "name the parameter"


def the_user_also_a_query_parameter(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(owner: Annotated[str, Query(alias="user_id")]): ...

    return (), "takes user_id from the query", "use what the guard gives"


def the_user_in_a_mounts_prefix(app, bridge):
    inner = FastAPI(dependencies=guard(bridge, "current_user"))
    inner.get("/tasks")(tasks)
    app.mount("/api/{user_id}", inner)
    return (), "GET /api/{user_id}/tasks has {user_id} in its path", "bridge.path_user"


def a_guard_without_depends(app, bridge):
    @app.get("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user=bridge.current_user): ...

    return (), "GET /tasks lets the caller write the parameter user of tasks", "Annotated[Principal, Depends("


def a_path_guard_without_depends(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(user: Annotated[Principal, bridge.path_user]): ...

    return (), "lets the caller write the parameter user of tasks", "no Depends stands there"


def a_principal_without_depends(app, bridge):
    @app.post("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user: Principal): ...

    return (
        (),
        "POST /tasks lets the caller write the parameter user of tasks",
        "Annotated[Principal, Depends(",
    )


def a_principal_or_nothing_without_depends(app, bridge):
    @app.post("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user: Principal | None = None): ...

    return (
        (),
        "POST /tasks lets the caller write the parameter user of tasks",
        "Annotated[Principal, Depends(",
    )


def a_principal_without_depends_in_a_dependency(app, bridge):
    async def service(user: "Principal"): ...

    @app.post("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(found: Annotated[object, Depends(service)]): ...

    return (
        (),
        "POST /tasks lets the caller write the parameter user of service",
        "Annotated[Principal, Depends(",
    )


def nothing_but_a_guard_without_depends(app, bridge):
    @app.get("/tasks")
    async def tasks(user=bridge.current_user): ...

    return (), "GET /tasks asks nobody for a token", "Depends(bridge.current_user)"


def the_user_also_in_a_model_of_the_query(app, bridge):
    class Filter(BaseModel):
        user_id: str = ""

    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(wanted: Annotated[Filter, Query()]): ...

    return (), "takes user_id from the query (a field of Filter)", "a model without that field"


def the_user_also_in_the_body(app, bridge):
    """A model for answers, taken for input."""

    class Task(BaseModel):
        title: str
        user_id: str

    @app.put("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(task: Task): ...

    return (
        (),
        "takes user_id from the body (a field of Task)",
        "use what the guard gives, and a model without",
    )


def a_second_user_in_the_path(app, bridge):
    app.get("/api/{user_id}/friends/{userId}", dependencies=guard(bridge, "path_user"))(tasks)
    return (), "has {userId} in its path beside {user_id}", "a name that does not read like the caller's"


def a_guard_that_the_function_calls(app, bridge):
    @app.get("/tasks")
    async def tasks(request: Request):
        return (await bridge.current_user(request)).subject

    return (), "GET /tasks asks nobody for a token", "Depends(bridge.current_user)"


def a_claim_not_compared(app, bridge):
    app.get("/orgs/{org_id}/a", dependencies=[Depends(bridge.path_claim("org_id", claim="org"))])(tasks)
    app.get("/orgs/{org_id}/b", dependencies=guard(bridge, "current_user"))(tasks)
    return (), "GET /orgs/{org_id}/b has {org_id} in its path", "bridge.path_claim('org_id', claim='org')"


def a_claim_without_a_place(app, bridge):
    app.get("/orgs", dependencies=[Depends(bridge.path_claim("org_id", claim="org"))])(tasks)
    return (), "is guarded by path_claim(org_id), but its path has no plain {org_id}", "name the parameter"


def a_role_in_place_of_the_user(app, bridge):
    admin = bridge.require(lambda user: True, reason="administrators only")
    app.get("/api/{user_id}", dependencies=[Depends(admin)])(tasks)
    return (), "require(administrators only) does not compare it", "give it another name"
