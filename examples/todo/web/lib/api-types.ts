/**
 * The API's types, made from FastAPI's OpenAPI document by openapi-typescript: run `npm run types` after a change in
 * Python. Not to be edited; `npm run check` and a test compare it.
 */
export interface paths {
  "/api/me": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Me */
    get: operations["me_api_me_get"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/healthz": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Healthz
     * @description Whether the process answers. *Does not* ask the database: a restart would not bring it back.
     */
    get: operations["healthz_healthz_get"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/{user_id}/tasks": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** List Tasks */
    get: operations["list_tasks_api__user_id__tasks_get"];
    put?: never;
    /** Add Task */
    post: operations["add_task_api__user_id__tasks_post"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/{user_id}/tasks/events": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Task Events
     * @description An event at once and after every change, as long as the token lasts.
     */
    get: operations["task_events_api__user_id__tasks_events_get"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/{user_id}/tasks/{task_id}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Get Task */
    get: operations["get_task_api__user_id__tasks__task_id__get"];
    /** Replace Task */
    put: operations["replace_task_api__user_id__tasks__task_id__put"];
    post?: never;
    /** Delete Task */
    delete: operations["delete_task_api__user_id__tasks__task_id__delete"];
    options?: never;
    head?: never;
    /** Change Task */
    patch: operations["change_task_api__user_id__tasks__task_id__patch"];
    trace?: never;
  };
  "/api/{user_id}/tasks/{task_id}/complete": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    /** Complete Task */
    patch: operations["complete_task_api__user_id__tasks__task_id__complete_patch"];
    trace?: never;
  };
  "/api/tickets": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Create Ticket
     * @description Gives a ticket for one WebSocket or EventSource, which take it as the query parameter `ticket`.
     */
    post: operations["create_ticket_api_tickets_post"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    /**
     * Completion
     * @description The body of ``PATCH …/complete``. Says what shall be, not "toggle", so that a retry does no harm.
     */
    Completion: {
      /**
       * Completed
       * @default true
       */
      completed?: boolean;
    };
    /** HTTPValidationError */
    HTTPValidationError: {
      /** Detail */
      detail?: components["schemas"]["ValidationError"][];
    };
    /**
     * Me
     * @description Who the token says is calling.
     */
    Me: {
      /** User Id */
      user_id: string;
      /** Session Id */
      session_id: string | null;
      /** Expires At */
      expires_at: number;
    };
    /**
     * TaskChanges
     * @description Some fields of a task: what PATCH changes. A field that is absent stays as it is; null is refused.
     */
    TaskChanges: {
      /**
       * Title
       * @default
       */
      title?: string;
      /**
       * Description
       * @default
       */
      description?: string;
      /**
       * Completed
       * @default false
       */
      completed?: boolean;
    };
    /**
     * TaskIn
     * @description A whole task: what POST stores and PUT replaces.
     */
    TaskIn: {
      /** Title */
      title: string;
      /**
       * Description
       * @default
       */
      description?: string;
      /**
       * Completed
       * @default false
       */
      completed?: boolean;
    };
    /**
     * TaskOut
     * @description A task as its owner sees it.
     */
    TaskOut: {
      /**
       * Id
       * Format: uuid
       */
      id: string;
      /** User Id */
      user_id: string;
      /** Title */
      title: string;
      /** Description */
      description: string;
      /** Completed */
      completed: boolean;
      /**
       * Created At
       * Format: date-time
       */
      created_at: string;
      /**
       * Updated At
       * Format: date-time
       */
      updated_at: string;
    };
    /**
     * Ticket
     * @description A ticket, for the query parameter `ticket` of one connection.
     */
    Ticket: {
      /**
       * Ticket
       * @description Good once, at its path.
       */
      ticket: string;
      /**
       * Expires In
       * @description Seconds from now until it is good no longer.
       */
      expires_in: number;
    };
    /**
     * TicketRequest
     * @description Where a ticket shall be good.
     */
    TicketRequest: {
      /**
       * Path
       * @description The path of the connection below the API's address, as in its URL, without a query.
       * @example /api/u1/tasks/live
       */
      path: string;
    };
    /** ValidationError */
    ValidationError: {
      /** Location */
      loc: (string | number)[];
      /** Message */
      msg: string;
      /** Error Type */
      type: string;
      /** Input */
      input?: unknown;
      /** Context */
      ctx?: Record<string, never>;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  me_api_me_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["Me"];
        };
      };
    };
  };
  healthz_healthz_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            [key: string]: string;
          };
        };
      };
    };
  };
  list_tasks_api__user_id__tasks_get: {
    parameters: {
      query?: {
        limit?: number;
        offset?: number;
      };
      header?: never;
      path: {
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["TaskOut"][];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  add_task_api__user_id__tasks_post: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["TaskIn"];
      };
    };
    responses: {
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["TaskOut"];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  task_events_api__user_id__tasks_events_get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "text/event-stream": unknown;
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  get_task_api__user_id__tasks__task_id__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        task_id: string;
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["TaskOut"];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  replace_task_api__user_id__tasks__task_id__put: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        task_id: string;
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["TaskIn"];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["TaskOut"];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  delete_task_api__user_id__tasks__task_id__delete: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        task_id: string;
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      204: {
        headers: {
          [name: string]: unknown;
        };
        content?: never;
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  change_task_api__user_id__tasks__task_id__patch: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        task_id: string;
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["TaskChanges"];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["TaskOut"];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  complete_task_api__user_id__tasks__task_id__complete_patch: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        task_id: string;
        /** @description The user's ID, the one in the token. */
        user_id: string;
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        "application/json": components["schemas"]["Completion"] | null;
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["TaskOut"];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
  create_ticket_api_tickets_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["TicketRequest"];
      };
    };
    responses: {
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["Ticket"];
        };
      };
      /** @description Validation Error */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["HTTPValidationError"];
        };
      };
    };
  };
}
