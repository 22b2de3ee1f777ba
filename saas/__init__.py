"""The product: routes, views, services and models of Tenantry."""
