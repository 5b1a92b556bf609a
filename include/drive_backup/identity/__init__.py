"""Who a user source is: a person with stable ids, whatever the address is now. docs/adr/0033 has the reasons."""
