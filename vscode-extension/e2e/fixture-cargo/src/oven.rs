pub async fn bake(trays: u32) -> u32 {
    let loaves = trays * 12; // BP: baked
    loaves
}

#[cfg(test)]
mod tests {
    use super::bake;

    #[tokio::test]
    async fn one_tray() {
        let loaves = bake(1).await;
        let eaten = loaves / 2; // BP: one tray
        assert_eq!(eaten, 6);
    }

    #[tokio::test]
    async fn one_tray_too_many() {
        assert_eq!(bake(0).await, 1, "only the test that was asked for runs");
    }
}
