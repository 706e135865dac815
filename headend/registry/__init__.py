"""The registry: who the meters are, how they are reached, and in which state of life they are."""
