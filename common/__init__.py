"""What every service shares and no service owns: nothing here knows what a cheque is."""
