"""A github.com on loopback: REST, GraphQL subset, git over HTTP and signed webhooks over one mutable state (DESIGN section 11)."""
