"""Who revokes a token or an id in; the refusal of every token that it means out, in each worker."""
