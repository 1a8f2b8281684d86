//! Clipping and stepping take no memory from the system once a training runs. A program of its own, as the count is that of
//! the whole process. The model is element-wise: matrix products need memory for each thread that happens to help, and
//! which those are in the first steps is chance.

use chainrule_kernels::buffer::system_allocations;
use chainrule_layers::Param;
use chainrule_optim::{Adam, Lbfgs, NAdam, Optimizer, RmsProp, Sgd, clip_grad_norm};
use chainrule_tensor::{Rng, Tensor};

#[test]
fn no_memory_is_taken_once_a_training_runs() {
    let mut rng = Rng::seed_from_u64(1);
    for width in [5, 300] {
        let x = Tensor::<f32>::randn([width, width], &mut rng);
        let optimizers: [Box<dyn Optimizer>; 6] = [
            Box::new(Sgd::new(1e-3)),
            Box::new(Sgd::new(1e-3).momentum(0.9).nesterov(true)),
            Box::new(Adam::new(1e-3).amsgrad(true)),
            Box::new(RmsProp::new(1e-3).centered(true).momentum(0.9)),
            Box::new(NAdam::new(1e-3).group(|name, _| name == "1", |group| group.weight_decay(0.1))),
            Box::new(Lbfgs::new(1e-3).history_size(2)),
        ];
        for mut optimizer in optimizers {
            let mut net = vec![
                Param::new(Tensor::randn([width, width], &mut rng)),
                Param::new(Tensor::randn([width, width], &mut rng)),
            ];
            let mut flat = 0;
            for step in 0..20 {
                // L-BFGS has its history by then.
                if step == 6 {
                    flat = system_allocations();
                }
                let mut grads = (&x * &*net[0] + &*net[1]).mse_loss(&x).backward();
                clip_grad_norm(&mut grads, 1.0);
                optimizer.step(&mut net, &grads);
            }
            assert_eq!(system_allocations(), flat, "{optimizer:?}, width {width}");
        }
    }
}
