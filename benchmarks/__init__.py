"""How fast FastCheck is, measured on a whole system through its gateway, beside what the machine could do at best."""
