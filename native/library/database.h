/* Pools of database/sql, and what keeps their connections from coming back: rows, transactions,
 * connections that nobody has closed. The structs are those of Go 1.18–1.27, database/sql/sql.go.
 */
#ifndef SW_LIBRARY_DATABASE_H
#define SW_LIBRARY_DATABASE_H

#include "view/keeper.h"

struct sw_database {
	struct sw_value value; /* database/sql.DB */
	sw_object object;      /* that it is in; SW_NO_OBJECT: a variable */
	enum sw_keeper keeper;
	sw_type driver; /* of the connector; 0 unknown. Never its contents: passwords */
	uint64_t open, idle, in_use;
	uint64_t max_open; /* 0: no limit */
	uint64_t waiters;  /* calls that wait for a connection now */
	uint64_t wait_count;
	int64_t wait_ns;      /* all waits that are over */
	uint64_t unclosed[3]; /* by enum sw_unclosed_kind: live, not closed */
	uint64_t statements;  /* prepared, live, not closed */
	uint64_t lost;	      /* connections in use that nobody can give back any more */
	bool is_closed;
};
SW_VECTOR(struct sw_database, sw_database_list);

enum sw_unclosed_kind { SW_UNCLOSED_ROWS, SW_UNCLOSED_TX, SW_UNCLOSED_CONN };

/* What holds a connection. */
struct sw_unclosed {
	struct sw_value value; /* database/sql.Rows, Tx, Conn; of a connection that was lost its
				* driverConn */
	sw_object object;
	enum sw_unclosed_kind kind;
	bool is_gone;	       /* it is garbage: only the connection is left */
	enum sw_keeper keeper; /* SW_KEPT_BY_GOROUTINE: somebody may be at work with it */
	uint32_t database;     /* by place */
};
SW_VECTOR(struct sw_unclosed, sw_unclosed_list);

struct sw_databases {
	struct sw_database_list list;
	struct sw_unclosed_list unclosed;
	uint64_t damaged;
};

struct sw_error *sw_databases_find(const struct sw_live *live, const struct sw_keepers *keepers,
				   struct sw_databases *out);
void sw_databases_free(struct sw_databases *databases);

#endif
