"""The long proofs: a model against the product, interleaving, races, and databases that go away."""
