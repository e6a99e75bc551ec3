-- The generation of the lead under which the node's session was begun; none while it has no session. The session lives
-- while that lead does, so a controller that has no sessions knows from this which nodes are connected.
ALTER TABLE nodes ADD COLUMN session_lead BIGINT;
