"""Policy packs that ship with the product."""
