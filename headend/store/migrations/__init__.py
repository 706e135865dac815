"""The migrations, in order; ``headend.store.opening`` runs them."""
