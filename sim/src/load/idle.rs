//! Connections that nobody uses, of a load that is spread over nodes: taken from all nodes by turns, and of one node the one used
//! last first, so that as few as possible are in use. Connection n leads to node n modulo the number of nodes.

/// Connections by their numbers.
#[derive(Clone, Debug)]
pub struct Idle {
    /// Of each node, the one used last on top.
    nodes: Vec<Vec<usize>>,
    /// Whose turn it is.
    turn: usize,
}

impl Idle {
    /// None yet, for so many nodes.
    ///
    /// # Panics
    /// Without a node.
    pub fn new(nodes: usize) -> Self {
        assert!(nodes > 0, "connections lead somewhere");
        Self { nodes: vec![Vec::new(); nodes], turn: 0 }
    }

    /// One more.
    pub fn push(&mut self, number: usize) {
        let nodes = self.nodes.len();
        self.nodes[number % nodes].push(number);
    }

    /// One to the node whose turn it is; where that has none, to the next that has.
    pub fn pop(&mut self) -> Option<usize> {
        if let [only] = self.nodes.as_mut_slice() {
            return only.pop();
        }
        let nodes = self.nodes.len();
        let number = (0..nodes).find_map(|step| self.nodes[(self.turn + step) % nodes].pop())?;
        self.turn = (self.turn + 1) % nodes;
        Some(number)
    }

    /// Takes one out, if it is there.
    pub fn remove(&mut self, number: usize) {
        let nodes = self.nodes.len();
        self.nodes[number % nodes].retain(|&idle| idle != number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(idle: &mut Idle, n: usize) -> Vec<usize> {
        (0..n).filter_map(|_| idle.pop()).collect()
    }

    #[test]
    fn nodes_take_turns_and_of_each_the_one_used_last_comes_first() {
        let mut idle = Idle::new(3);
        (0..9).for_each(|number| idle.push(number));
        assert_eq!(popped(&mut idle, 4), [6, 7, 8, 3]);
        idle.push(6);
        idle.remove(4);
        assert_eq!(popped(&mut idle, 9), [1, 5, 6, 2, 0]);
    }

    #[test]
    fn one_node_is_a_stack() {
        let mut idle = Idle::new(1);
        (0..4).for_each(|number| idle.push(number));
        assert_eq!(popped(&mut idle, 5), [3, 2, 1, 0]);
    }
}
