"""What people see: pages made on the server, whole without JavaScript."""
